/** Where the triplets of a weight lie: parameters of the training graph, and (resting vectors) inputs that are fed. */
export interface LayerNames {
  left: string;
  right: string;
  values: string;
  restingLeft: string;
  restingRight: string;
  restingValues: string;
}

export function namesOf(weight: string): LayerNames {
  return {
    left: `${weight}/left`,
    right: `${weight}/right`,
    values: `${weight}/values`,
    restingLeft: `${weight}/resting.left`,
    restingRight: `${weight}/resting.right`,
    restingValues: `${weight}/resting.values`,
  };
}
