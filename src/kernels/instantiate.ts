const modules = new Map<string, WebAssembly.Module>();
const instances = new WeakMap<WebAssembly.Memory, Map<string, WebAssembly.Exports>>();

/**
 * The functions of a kernel module that work on one memory. Modules are compiled once, and instantiated once a memory.
 *
 * @param wasm The bytes as base64, as scripts/kernels.mjs writes them.
 */
export function instantiate<T>(wasm: string, memory: WebAssembly.Memory): T {
  let known = instances.get(memory);
  if (!known) instances.set(memory, (known = new Map()));
  let exported = known.get(wasm);
  if (!exported) {
    exported = new WebAssembly.Instance(moduleFor(wasm, memory), { env: { memory } }).exports;
    known.set(wasm, exported);
  }
  return exported as T;
}

/** The compiled module for memories like this one: shared between threads, or not. */
export function moduleFor(wasm: string, memory: WebAssembly.Memory): WebAssembly.Module {
  const shared = !(memory.buffer instanceof ArrayBuffer);
  const key = `${shared ? "shared " : ""}${wasm}`;
  let module = modules.get(key);
  if (!module) {
    const bytes = Uint8Array.from(atob(wasm), (c) => c.charCodeAt(0));
    if (shared) bytes[limitsOfMemory(bytes)] = SHARED_WITH_MAXIMUM;
    modules.set(key, (module = new WebAssembly.Module(bytes)));
  }
  return module;
}

/** Flags of a memory's limits, as the threads proposal of WebAssembly has them; 1 is "with a maximum", not shared. */
const SHARED_WITH_MAXIMUM = 3;

/** Where a module's import of "env" "memory" (kind 2) says what the limits of that memory are. */
function limitsOfMemory(bytes: Uint8Array): number {
  const entry = [..."\x03env\x06memory\x02"].map((c) => c.charCodeAt(0));
  const at = bytes.findIndex((_, i) => entry.every((b, j) => bytes[i + j] === b));
  return at + entry.length;
}
