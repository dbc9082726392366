import type { TokenWaves } from "../../sparsity/tickets/token-waves.ts";
import type { Trace } from "../../sparsity/tickets/trace.ts";
import type { Html } from "../report/html.ts";
import { html, raw } from "../report/html.ts";

/** Mask and spectrum at the step that a slider is at. Without scripts nothing of it shows. */
export function traceSlider(trace: Trace, waves: TokenWaves | undefined): Html {
  const { rows, columns } = trace[0].picture;
  const data = {
    rows,
    columns,
    most: Math.max(...trace.flatMap((q) => q.spectrum ?? [])),
    frames: trace.map((q) => ({
      step: q.step,
      mask: q.picture.digits,
      spectrum: (q.spectrum ?? []).map((v) => Number(v.toFixed(4))),
    })),
  };
  return html`<figure class="slider" hidden>
<figcaption>Mask (a row a neuron)${waves ? ` and power at each ${waves.kind}${waves.kind === "representation" ? ` (${waves.names.join(", ")})` : ""}` : ""}, at step <output></output></figcaption>
<input type="range" min="0" max="${trace.length - 1}" value="${trace.length - 1}" aria-label="step of training">
<canvas width="${8 * columns}" height="${8 * rows}"></canvas>
<canvas width="${8 * columns}" height="120"${waves ? "" : raw(" hidden")}></canvas>
</figure>
<script>
(${raw(draw.toString())})(document.currentScript.previousElementSibling, ${raw(JSON.stringify(data))});
</script>`;
}

interface SliderData {
  rows: number;
  columns: number;
  most: number;
  frames: { step: number; mask: string; spectrum: number[] }[];
}

/** Runs in the page: nothing from outside may be named in it. */
function draw(figure: HTMLElement, { rows, columns, most, frames }: SliderData): void {
  const slider = figure.querySelector("input")!;
  const [mask, spectrum] = figure.querySelectorAll("canvas");
  const show = () => {
    const frame = frames[Number(slider.value)];
    figure.querySelector("output")!.textContent = String(frame.step);
    const color = getComputedStyle(figure).getPropertyValue("--c1");
    const [m, s] = [mask.getContext("2d")!, spectrum.getContext("2d")!];
    for (const context of [m, s]) {
      context.clearRect(0, 0, context.canvas.width, context.canvas.height);
      context.fillStyle = color;
    }
    for (let i = 0; i < rows * columns; i++) {
      m.globalAlpha = Number(frame.mask[i]) / 9;
      m.fillRect(8 * (i % columns), 8 * Math.floor(i / columns), 8, 8);
    }
    const width = s.canvas.width / frame.spectrum.length;
    frame.spectrum.forEach((share, f) => {
      const height = (s.canvas.height * share) / most;
      s.fillRect(f * width + 1, s.canvas.height - height, width - 2, height);
    });
  };
  slider.addEventListener("input", show);
  figure.hidden = false;
  show();
}
