/** What is wrong in the configuration, in one line: where it stands, what it is, and what would be right. */
export class ConfigError extends Error {}
