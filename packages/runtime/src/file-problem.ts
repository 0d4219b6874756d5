const problems: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user has no permission',
  EPERM: 'this user has no permission',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is a file',
  EEXIST: 'it is there already',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
  EROFS: 'the file system is read-only',
  ELOOP: 'its symbolic links lead nowhere',
  ENAMETOOLONG: 'its name is too long',
  EMFILE: 'this process has too many files open',
  ENFILE: 'this machine has too many files open',
}

/** What is wrong with a file, of an error that the file system has thrown: words for a person, to follow the file's path. */
export function fileProblem(error: unknown): string {
  const known = problems[(error as NodeJS.ErrnoException | undefined)?.code ?? '']
  return known ?? (error instanceof Error ? error.message : String(error))
}
