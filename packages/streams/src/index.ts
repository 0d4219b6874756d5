export type { CommandStatus, RemoteCommandStreams, TerminalSize } from './contract.ts'
