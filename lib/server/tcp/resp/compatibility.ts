/** What this server claims to be, to clients that ask for a version of Redis before they use it. */

/** The version of Redis whose commands and replies these are. */
export const REDIS_VERSION = "7.0.15";
