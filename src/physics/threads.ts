/** Threads that can share a simulation. */
export const MOST_THREADS = 64;
