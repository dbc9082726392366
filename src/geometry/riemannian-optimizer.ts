import { flatArrays } from "../engine/parameters.ts";
import type { Optimizer, OptimizerSpec, OptimizerTarget } from "../nn/optimizers.ts";
import { createOptimizer } from "../nn/optimizers.ts";
import { Problem } from "../problem.ts";
import type { Manifold } from "./manifold.ts";

/** Gradients and moments count as no longer than this, whose square single precision can hold. */
const LONGEST_GRADIENT = 1e15;

/** A step is at most this long: what asks for more is a gradient that is not to be trusted. */
const LONGEST_STEP = 10;

/**
 * An optimiser that keeps some parameters on a manifold: each row of theirs (last axis) is a point that moves along
 * geodesics, without weight decay; all others are stepped as `createOptimizer` does. `sgd` without momentum is Riemannian
 * gradient descent (Bonnabel 2013). `adam` and `adamw` are Riemannian Adam (Bécigneul and Ganea 2019) with the exponential
 * map: the first moment is a tangent vector that is transported along, the second one number a point, the mean squared
 * length of the gradient.
 *
 * @param manifoldOf the space of a parameter's rows; undefined where it has none.
 */
export function createRiemannianOptimizer(
  spec: OptimizerSpec,
  target: OptimizerTarget,
  manifoldOf: (parameter: string) => Manifold | undefined,
): Optimizer {
  const { parameters, gradients, rate: rateOf = () => 1, only = () => true } = target;
  if (spec.kind === "rmsprop" || spec.kind === "adamax" || (spec.kind === "sgd" && spec.momentum))
    throw new Problem(
      `optimiser "${spec.kind}"${spec.kind === "sgd" ? " with momentum" : ""} has no Riemannian form here; take sgd without momentum, adam or adamw`,
    );
  const own = createOptimizer(spec, { ...target, only: (name) => only(name) && !manifoldOf(name) });
  const curved = parameters.segments.filter(({ name }) => only(name) && manifoldOf(name));
  const adaptive = spec.kind !== "sgd";
  const shapes = (last: (width: number) => number) =>
    curved.map((s) => [s.name, [...s.shape.slice(0, -1), last(s.shape.at(-1)!)]] as const);
  const moments = adaptive
    ? {
        tangentMoment: flatArrays(
          shapes((width) => width),
          parameters,
        ),
        squaredLength: flatArrays(
          shapes(() => 1),
          parameters,
        ),
      }
    : undefined;
  const { betas: [beta1, beta2] = [0.9, 0.999], epsilon = 1e-8 } = adaptive ? spec : {};

  const move = (name: string, steps: number, learningRate: number) => {
    const manifold = manifoldOf(name)!;
    const points = parameters.arrays[name];
    const slopes = gradients.arrays[name];
    const width = parameters.tensors.get(name)!.shape.at(-1)!;
    const gradient = new Float64Array(width);
    const step = new Float64Array(width);
    const from = new Float64Array(width);
    for (let row = 0; row < points.length / width; row++) {
      const at = (a: Float32Array) => a.subarray(row * width, (row + 1) * width);
      const point = at(points);
      from.set(point);
      manifold.gradient(from, at(slopes), gradient);
      shorten(gradient, manifold.length(from, gradient), LONGEST_GRADIENT);
      const momentum = moments && at(moments.tangentMoment.arrays[name]);
      let rate = learningRate;
      if (moments && momentum) {
        const squares = moments.squaredLength.arrays[name];
        squares[row] = beta2 * squares[row] + (1 - beta2) * manifold.length(from, gradient) ** 2;
        for (let i = 0; i < width; i++) gradient[i] = beta1 * momentum[i] + (1 - beta1) * gradient[i];
        rate /= (1 - beta1 ** steps) * (Math.sqrt(squares[row] / (1 - beta2 ** steps)) + epsilon);
      }
      const length = rate * manifold.length(from, gradient);
      if (length > LONGEST_STEP) rate *= LONGEST_STEP / length;
      for (let i = 0; i < width; i++) step[i] = -rate * gradient[i];
      manifold.exp(from, step, point);
      if (!momentum) continue;
      manifold.transport(from, point, gradient, gradient);
      shorten(gradient, manifold.length(point, gradient), LONGEST_GRADIENT);
      momentum.set(gradient);
    }
  };

  const optimizer: Optimizer = {
    state: { ...own.state, ...moments },
    steps: 0,
    ...(own.restarts && { restarts: own.restarts }),
    step: (learningRate) => {
      optimizer.steps++;
      own.steps = optimizer.steps - 1;
      own.step(learningRate);
      for (const { name } of curved) move(name, optimizer.steps, learningRate * rateOf(name));
    },
  };
  return optimizer;
}

function shorten(v: Float64Array, length: number, longest: number): void {
  if (length > longest) for (let i = 0; i < v.length; i++) v[i] *= longest / length;
}
