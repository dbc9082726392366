import { Problem } from "../problem.ts";

/** What the usual failures of a file system mean, and what to do. */
const REASONS: Record<string, string> = {
  ENOENT: "no such file or folder",
  ENOTDIR: "a part of this path is a file, not a folder",
  EEXIST: "a part of this path is a file, not a folder",
  EISDIR: "this is a folder; expected a file",
  EACCES: "no permission; choose another place or change its permissions",
  EPERM: "no permission; choose another place or change its permissions",
  EROFS: "this file system is read-only; choose another place",
  ENOSPC: "the disk is full; free some space and try again",
  EDQUOT: "the disk quota is used up; free some space and try again",
  EFBIG: "the file would exceed the largest size allowed here",
  EMFILE: "too many open files",
  ERR_FS_FILE_TOO_LARGE: "the file is larger than 2 GiB",
};

/** The file-system error `error` about `path` as a `Problem`; anything else comes back as it is. */
export function fileProblem(doing: string, path: string, error: unknown): unknown {
  const { code = "", syscall, message } = error as NodeJS.ErrnoException;
  // Folders on the way to what is written are made; where they cannot be, as on a read-only disk, Node names none.
  const unmade = code === "ENOENT" && doing.startsWith("write");
  const reason = unmade
    ? "its folder cannot be made; choose another place"
    : (REASONS[code] ?? (syscall && message));
  return reason && !(error instanceof Problem) ? new Problem(`cannot ${doing} ${path}: ${reason}`) : error;
}
