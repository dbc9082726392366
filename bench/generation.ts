/**
 * How much faster does a decoder make text that keeps keys and values than one that sees the whole text anew for each token?
 * Milliseconds for the last token of 256, on one thread, the two in turn, and the median of the ratios; then the same for a
 * prompt of 192 tokens that is read at once or token by token. Writes docs/results/generation.json.
 *
 * usage: generation.js [repetitions, default 50]
 */
import { writeResults } from "../protocols/support/results.ts";
import { createSession } from "../src/engine/session.ts";
import { zeros } from "../src/engine/tensor.ts";
import { openCachedDecoder } from "../src/nn/generate.ts";
import type { DecoderOptions } from "../src/nn/models/decoder.ts";
import { decoder } from "../src/nn/models/decoder.ts";
import { median } from "../src/runs/latency.ts";

const CONTEXT = 256;
const PROMPT = 192;
const repetitions = Number(process.argv[2] ?? 50);

const rows = [];
for (const layout of ["opt", "llama"] as const)
  for (const width of [96, 384]) {
    const shape = { width, heads: width / 48, mlpWidth: 4 * width, blocks: 4 };
    const options: DecoderOptions = { layout, vocabulary: 2048, context: CONTEXT, ...shape };
    const model = decoder(options);
    const whole = await createSession(model, { threads: 1 });
    const cached = await openCachedDecoder(model, options, { threads: 1 });
    const feeds = { input: zeros([1, CONTEXT], "int32") };
    const time = async (run: () => Promise<unknown>) => {
      const start = performance.now();
      await run();
      return performance.now() - start;
    };
    const [anew, kept]: number[][] = [[], []];
    for (let i = 0; i < repetitions; i++) {
      anew.push(await time(() => whole.run(feeds)));
      kept.push(await time(() => cached.read([0], CONTEXT - 1)));
    }
    const prompt = Array.from({ length: PROMPT }, (_, i) => i);
    const [together, apart]: number[][] = [[], []];
    for (let i = 0; i < repetitions / 5; i++) {
      together.push(await time(() => cached.read(prompt, 0)));
      apart.push(
        await time(async () => {
          for (const [position, token] of prompt.entries()) await cached.read([token], position);
        }),
      );
    }
    const row = {
      layout,
      ...shape,
      anew: median(anew),
      kept: median(kept),
      ratio: median(anew.map((ms, i) => ms / kept[i])),
      prompt: {
        together: median(together),
        apart: median(apart),
        ratio: median(apart.map((ms, i) => ms / together[i])),
      },
    };
    console.log(
      `${layout}, width ${width}: ${row.anew.toFixed(1)} ms anew, ${row.kept.toFixed(2)} ms with the past kept, ${row.ratio.toFixed(1)} times faster; the prompt in ${row.prompt.together.toFixed(0)} ms at once, ${row.prompt.apart.toFixed(0)} ms token by token`,
    );
    rows.push(row);
    await Promise.all([whole.release(), cached.release()]);
  }
await writeResults("generation", `npm run bench -- generation ${repetitions}`, {
  context: CONTEXT,
  prompt: PROMPT,
  rows,
});
