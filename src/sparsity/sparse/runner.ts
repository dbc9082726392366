import type { Graph, Node } from "../../engine/graph.ts";
import type { Session, SessionOptions } from "../../engine/session.ts";
import { createSession } from "../../engine/session.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { sizeOf, zeros } from "../../engine/tensor.ts";
import { createTeam } from "../../kernels/team.ts";
import { Problem } from "../../problem.ts";
import type { Slot } from "./cells.ts";
import { createRoom } from "./cells.ts";
import { fuseOperations } from "./fuse.ts";
import { sparseKernels, sparseModules } from "./kernels.ts";
import { operationOf } from "./operation-of.ts";
import type { Piece } from "./pieces.ts";
import { cutGraph, pieceGraph, rowsOf } from "./pieces.ts";
import type { WeightFormat } from "./product.ts";
import type { SparseProgram } from "./program.ts";
import { compileProgram, lanesFor } from "./program.ts";
import { recordCalls } from "./record.ts";
import type { Machine } from "./steps.ts";

/** A graph of a fixed batch that is computed in pieces. */
export interface Runner extends Session {
  readonly pieces: readonly Piece[];
  /** Samples that the sparse pieces compute side by side; 0 where there are none. */
  readonly lanes: number;
  /** What the sparse pieces compute, without handing values over. */
  runSparse(): void;
}

export interface RunnerOptions extends Pick<SessionOptions, "device" | "threads"> {
  /** How weights are stored; by default what suits each layer's zeros. */
  format?: WeightFormat;
  /** Samples that are computed side by side, 4, 8 or 16; by default what suits the layers. A batch of 1 has no choice. */
  lanes?: number;
  /** Threads of the kernels; `threads` are those of ONNX Runtime. Default 1. */
  kernelThreads?: number;
}

/**
 * Prepares a graph whose layers in `chosen` run sparse. The arrays that pieces hand to each other lie in the kernels'
 * memory; ONNX Runtime reads and writes them there.
 */
export async function createRunner(
  graph: Graph,
  chosen: ReadonlySet<Node>,
  { format, lanes: wanted, kernelThreads = 1, ...options }: RunnerOptions = {},
): Promise<Runner> {
  const pieces = cutGraph(graph, chosen);
  const room = createRoom();
  const arrays = new Map<string, Slot>();
  const programs = new Map<Piece, SparseProgram>();
  const plans = pieces
    .filter((piece) => piece.kind === "sparse")
    .map((piece) => {
      const operations = piece.nodes.map((node) => operationOf(graph, node)!);
      const rows = rowsOf(graph, piece.nodes[0]);
      return { piece, operations, rows, lanes: rows > 1 && wanted ? wanted : lanesFor(rows, operations) };
    });
  // Arrays hold whole groups of the widest program that uses them.
  const padding = Math.max(1, ...plans.map(({ lanes }) => lanes));
  for (const { piece, operations, rows, lanes } of plans) {
    for (const name of [...piece.inputs, ...piece.outputs])
      if (!arrays.has(name)) {
        const row = sizeOf(graph.types.get(name)!.shape.slice(1));
        arrays.set(name, room.reserve(4 * padding * Math.ceil(rows / padding) * row));
      }
    programs.set(
      piece,
      compileProgram(
        {
          graph,
          operations: fuseOperations(operations, new Set(piece.outputs)),
          inputs: piece.inputs,
          outputs: piece.outputs,
          arrays,
          batch: rows,
          lanes,
          threads: kernelThreads,
          format,
        },
        room,
      ),
    );
  }
  const shared = kernelThreads > 1 && plans.length > 0;
  const { memory } = room.open(shared);
  const jobs = [...programs.values()].flatMap(({ run, runInside }) => [run, runInside]);
  const team = shared
    ? await createTeam({
        memory,
        wasm: sparseModules(),
        jobs: Array.from({ length: kernelThreads - 1 }, (_, i) =>
          jobs.map((job) => recordCalls(job, { thread: i + 1, threads: kernelThreads })),
        ),
      })
    : undefined;
  const machine: Machine = {
    kernels: sparseKernels(memory),
    floats: new Float32Array(memory.buffer),
    thread: 0,
    threads: kernelThreads,
    meet: team ? team.meet : () => {},
  };
  const perform = (job: SparseProgram["run"]) => {
    team?.start(jobs.indexOf(job));
    job(machine);
  };
  const values = new Map<string, Tensor>();
  for (const piece of pieces)
    for (const name of [...piece.inputs, ...piece.outputs]) {
      const { shape, dtype } = graph.types.get(name)!;
      const slot = arrays.get(name);
      if (!values.has(name))
        values.set(
          name,
          slot
            ? { dtype, shape, data: new Float32Array(memory.buffer, slot.address, sizeOf(shape)) }
            : zeros(shape, dtype),
        );
    }
  const sessions = new Map<Piece, Session>();
  for (const piece of pieces)
    if (piece.kind === "dense") sessions.set(piece, await createSession(pieceGraph(graph, piece), options));
  const pick = (names: readonly string[], from = values) =>
    Object.fromEntries(names.map((name) => [name, from.get(name)!]));
  // ONNX Runtime refuses arrays in shared memory: it works on others, and what they hold is copied.
  const lent = shared ? new Map([...values].map(([name, t]) => [name, zeros(t.shape, t.dtype)])) : values;
  const copy = (names: readonly string[], from: typeof values, to: typeof values) => {
    if (from !== to) for (const name of names) to.get(name)!.data.set(from.get(name)!.data as never);
  };
  const runDense = async (piece: Piece) => {
    copy(piece.inputs, values, lent);
    await sessions.get(piece)!.run(pick(piece.inputs, lent), pick(piece.outputs, lent));
    copy(piece.outputs, lent, values);
  };
  return {
    pieces,
    lanes: plans.length > 0 ? padding : 0,
    run: async (feeds) => {
      if (pieces.length === 1 && pieces[0].kind === "dense") return sessions.get(pieces[0])!.run(feeds);
      for (const name of graph.inputs) enter(values.get(name), feeds[name], name);
      for (const piece of pieces)
        if (piece.kind === "sparse") perform(programs.get(piece)!.run);
        else await runDense(piece);
      const results: Record<string, Tensor> = {};
      for (const [name, t] of Object.entries(pick(graph.outputs)))
        results[name] = { ...t, data: t.data.slice() } as Tensor;
      return results;
    },
    runSparse: () => {
      for (const program of programs.values()) perform(program.runInside);
    },
    release: async () => {
      await team?.end();
      for (const session of sessions.values()) await session.release();
    },
  };
}

/** Copies what is fed to where the pieces read it. An input that nothing reads has no place. */
function enter(place: Tensor | undefined, fed: Tensor | undefined, name: string): void {
  if (!place) return;
  if (fed?.data.length !== place.data.length || fed.dtype !== place.dtype)
    throw new Problem(
      `input "${name}" takes a ${place.dtype} tensor of shape [${place.shape}], ${fed ? `not ${fed.dtype} [${fed.shape}]` : "but nothing is fed"}`,
    );
  place.data.set(fed.data as never);
}
