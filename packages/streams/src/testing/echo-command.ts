import { pipeline } from 'node:stream/promises'
import type { CommandStatus, RemoteCommandStreams } from '../contract.ts'

/**
 * A command that stands for a container in tests. `cat` copies, `exit N` ends with a code, `say N` writes N bytes, `size` prints terminal sizes until
 * one is 1 wide, `hang` waits for the client to go, `both` writes to both outputs.
 */
export async function runTestCommand(command: readonly string[], streams: RemoteCommandStreams): Promise<CommandStatus> {
  const [name = '', argument] = command
  switch (name) {
    case 'cat':
      if (streams.stdin !== undefined && streams.stdout !== undefined) await pipeline(streams.stdin, streams.stdout)
      return { status: 'Success' }
    case 'exit':
      return argument === '0' ? { status: 'Success' } : { status: 'Failure', reason: 'NonZeroExitCode', exitCode: Number(argument) }
    case 'say': {
      const chunk = Buffer.alloc(64 << 10, 'gantry ')
      for (let left = Number(argument); left > 0; left -= chunk.length) {
        if (streams.stdout?.write(chunk.subarray(0, left)) === false) await new Promise((resolve) => streams.stdout?.once('drain', resolve))
      }
      return { status: 'Success' }
    }
    case 'size':
      for await (const { width, height } of streams.resizes) {
        streams.stdout?.write(`${width}x${height}\n`)
        if (width === 1) break
      }
      return { status: 'Success' }
    case 'hang':
      await new Promise((resolve) => streams.signal.addEventListener('abort', resolve))
      return { status: 'Success' }
    case 'both':
      streams.stdout?.write('to stdout\n')
      streams.stderr?.write('to stderr\n')
      return { status: 'Success' }
    default:
      return { status: 'Failure', reason: 'InternalError', message: `Internal error occurred: no such command: ${name}` }
  }
}
