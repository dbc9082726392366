// What materials do with their deformation, the inner loops of src/physics/constitution.ts, where the equations stand.
// float64. AssemblyScript.
export { elastic2, hencky2, newtonian2 } from "./shared/constitution2";
export { elastic3, hencky3, newtonian3 } from "./shared/constitution3";
export { singularValues2 } from "./shared/singularValues2";
export { singularValues3 } from "./shared/singularValues3";
export { yieldStrains } from "./shared/yield";
