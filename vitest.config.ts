import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // ONNX Runtime is a native module with thread pools of its own: one process a file, two files at a time.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    // Tests of commands compile first.
    hookTimeout: 60_000,
  },
});
