import { ociArchiveOf } from './oci-archive.ts'
import { tarOf } from './tar.ts'

/** The sandbox image the agent brings along, so that a pod needs no registry before its own images. */
export const pauseImageReference = 'gantry.local/pause:1'

/** What `pauseImageArchive` can be built for, as Node's `process.arch`. */
export type PauseArchitecture = 'x64' | 'arm64'

export function isPauseArchitecture(architecture: string): architecture is PauseArchitecture {
  return architecture in machines
}

/** An image whose one program holds a pod's namespaces open: it sleeps for ever and reaps what is orphaned to it. */
export function pauseImageArchive(architecture: PauseArchitecture): Buffer {
  const layer = tarOf([{ name: 'pause', content: pauseProgram(architecture), mode: 0o755 }])
  return ociArchiveOf({ reference: pauseImageReference, architecture, config: { Entrypoint: ['/pause'], User: '65535:65535' }, layer })
}

const loadAddress = 0x400000n
const elfHeaderBytes = 64
const programHeaderBytes = 56
const codeOffset = elfHeaderBytes + programHeaderBytes

/**
 * The whole program is `rt_sigaction(SIGCHLD, &ignore, 0, 8); for (;;) ppoll(0, 0, 0, 0)`: ignoring SIGCHLD makes the kernel reap children by itself (sigaction(2)).
 * Behind the code stands the `struct sigaction`: handler SIG_IGN (1), then zeros.
 */
const machines: Readonly<Record<PauseArchitecture, { readonly elfMachine: number; readonly code: Buffer }>> = {
  x64: {
    elfMachine: 62,
    code: Buffer.from(
      [
        'b80d000000', //      mov  eax, 13 (rt_sigaction)
        'bf11000000', //      mov  edi, 17 (SIGCHLD)
        '488d3528000000', //  lea  rsi, [rip + 40] (the action below)
        '31d2', //            xor  edx, edx
        '41ba08000000', //    mov  r10d, 8
        '0f05', //            syscall
        'b80f010000', // 1:   mov  eax, 271 (ppoll)
        '31ff', //            xor  edi, edi
        '31f6', //            xor  esi, esi
        '31d2', //            xor  edx, edx
        '4d31d2', //          xor  r10, r10
        '0f05', //            syscall
        'ebee', //            jmp  1b
        '909090909090909090909090', // padding up to the action
      ].join(''),
      'hex',
    ),
  },
  arm64: {
    elfMachine: 183,
    code: Buffer.from(
      [
        'c81080d2', //    mov  x8, 134 (rt_sigaction)
        '200280d2', //    mov  x0, 17 (SIGCHLD)
        '81010010', //    adr  x1, +48 (the action below)
        '020080d2', //    mov  x2, 0
        '030180d2', //    mov  x3, 8
        '010000d4', //    svc  0
        '280980d2', // 1: mov  x8, 73 (ppoll)
        '000080d2', //    mov  x0, 0
        '010080d2', //    mov  x1, 0
        '020080d2', //    mov  x2, 0
        '030080d2', //    mov  x3, 0
        '010000d4', //    svc  0
        'faffff17', //    b    1b
        '1f2003d5', //    nop
      ].join(''),
      'hex',
    ),
  },
}

/** `handler`, `flags`, `restorer` and `mask` of 8 bytes each (arm64 has no restorer and reads less). */
const ignoreAction = Buffer.from([1, ...Array.from({ length: 31 }, () => 0)])

/** A static ELF executable of one loadable segment. */
function pauseProgram(architecture: PauseArchitecture): Buffer {
  const { elfMachine, code } = machines[architecture]
  const body = Buffer.concat([code, ignoreAction])
  const size = BigInt(codeOffset + body.length)
  const header = Buffer.alloc(codeOffset)
  header.write('\x7fELF', 0, 'latin1')
  header.set([2, 1, 1], 4) // 64 bit, little endian, version 1
  header.writeUInt16LE(2, 16) // an executable
  header.writeUInt16LE(elfMachine, 18)
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(loadAddress + BigInt(codeOffset), 24) // entry point
  header.writeBigUInt64LE(BigInt(elfHeaderBytes), 32) // program headers
  header.writeUInt16LE(elfHeaderBytes, 52)
  header.writeUInt16LE(programHeaderBytes, 54)
  header.writeUInt16LE(1, 56)
  header.writeUInt32LE(1, elfHeaderBytes) // load
  header.writeUInt32LE(5, elfHeaderBytes + 4) // read and execute
  header.writeBigUInt64LE(loadAddress, elfHeaderBytes + 16)
  header.writeBigUInt64LE(loadAddress, elfHeaderBytes + 24)
  header.writeBigUInt64LE(size, elfHeaderBytes + 32)
  header.writeBigUInt64LE(size, elfHeaderBytes + 40)
  header.writeBigUInt64LE(0x10000n, elfHeaderBytes + 48)
  return Buffer.concat([header, body])
}
