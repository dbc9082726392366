/** Importing this file enters every operator in the table. */
export * from "./elementwise.ts";
export * from "./matmul.ts";
export * from "./reduction.ts";
export * from "./shape.ts";
