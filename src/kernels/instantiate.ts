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
    let module = modules.get(wasm);
    if (!module)
      modules.set(
        wasm,
        (module = new WebAssembly.Module(Uint8Array.from(atob(wasm), (c) => c.charCodeAt(0)))),
      );
    exported = new WebAssembly.Instance(module, { env: { memory } }).exports;
    known.set(wasm, exported);
  }
  return exported as T;
}
