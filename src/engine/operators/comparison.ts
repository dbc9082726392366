import { binary, unary } from "./elementwise.ts";

export const equal = binary("Equal", { value: (a, b) => Number(a === b), result: "bool" });
export const greater = binary("Greater", { value: (a, b) => Number(a > b), result: "bool" });
export const greaterOrEqual = binary("GreaterOrEqual", { value: (a, b) => Number(a >= b), result: "bool" });
export const less = binary("Less", { value: (a, b) => Number(a < b), result: "bool" });
export const lessOrEqual = binary("LessOrEqual", { value: (a, b) => Number(a <= b), result: "bool" });
export const isNaNValue = unary("IsNaN", { value: (x) => (Number.isNaN(x) ? 1 : 0), result: "bool" });

export const and = binary("And", { value: (a, b) => Number(a && b), result: "bool" });
export const or = binary("Or", { value: (a, b) => Number(a || b), result: "bool" });
export const xor = binary("Xor", { value: (a, b) => Number(a !== b), result: "bool" });
export const not = unary("Not", { value: (x) => (x ? 0 : 1), result: "bool" });
