export { startPlatform } from './platform.ts'
export type { Platform } from './platform.ts'
export type { PlatformPorts } from './platform-ports.ts'
export type { PlatformConfig } from './config.ts'
