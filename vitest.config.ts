import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // ONNX Runtime is a native module with thread pools of its own: one process a file, two files at a time.
    pool: "forks",
    maxWorkers: 2,
    // For what hangs alone: tests of a few seconds have taken two minutes where others wanted the processors, too.
    testTimeout: 300_000,
    // Tests of commands compile first, one after the other.
    hookTimeout: 300_000,
  },
});
