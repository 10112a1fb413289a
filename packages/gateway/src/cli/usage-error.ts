/** Words that the command line can't mean: exit code 2. */
export class UsageError extends Error {}
