import { accessSync, constants, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { SqliteFailure } from './protocol.ts'

// Primary result codes (the low byte of an extended one): sqlite.org/rescode.html
const busy = 5
const readOnly = 8
const ioError = 10
const corrupt = 11
const full = 13
const cannotOpen = 14
const notAllowed = 23
const notADatabase = 26

const restore =
  'move the file aside together with the -wal file beside it and restore a backup ("gantry restore"), or keep what is whole of it ("gantry salvage")'

/** Why the file could not be opened and what to do, in one line. */
export function openFailureMessage(file: string, failure: SqliteFailure): string {
  const { message } = failure
  switch (primary(failure)) {
    case busy:
      return `${file} is in use by another process: stop the other Gantry, or start this one with another data folder`
    case corrupt:
    case notADatabase:
      return `${file} is damaged or is no database (${reasonOf(message)}): ${restore}`
    case notAllowed:
      return `${file}: ${message}`
    case full:
      return `${file} cannot be opened, the disk is full (${message}): free some space and start again`
    case ioError:
      return `${file} cannot be read, the disk reports an error (${message}): check the disk`
    case readOnly:
    case cannotOpen:
      return `${file} cannot be opened: ${accessProblem(file) ?? message}`
    case undefined:
      return `${file} cannot be used: ${accessProblem(file) ?? `${message}. If it should be Gantry's, ${restore}`}`
    default:
      return `${file} cannot be opened: ${message}`
  }
}

/** Why a file could not be copied from, or to, and what to do, in one line. */
export function copyFailureMessage(file: string, failure: SqliteFailure): string {
  const { message } = failure
  switch (primary(failure)) {
    case busy:
      return `${file} is in use: a Gantry that runs on it makes backups itself ("gantry backup")`
    case corrupt:
    case notADatabase:
      return `${file} is damaged or is no data file of Gantry (${reasonOf(message)}): take another backup, or keep what is whole of it ("gantry salvage")`
    case full:
      return `${file} cannot be written, the disk is full`
    case undefined:
    default:
      return `${file} cannot be used: ${sourceProblem(file) ?? message}`
  }
}

/** What a thread or a command tells of an error of SQLite. */
export function failureOf(error: unknown): SqliteFailure {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'errcode') : undefined
  return { message: error instanceof Error ? error.message : String(error), code: typeof code === 'number' ? code : undefined }
}

function reasonOf(message: string): string {
  return message.replace(/^it is damaged \((.*)\)$/, '$1')
}

function sourceProblem(file: string): string | undefined {
  if (statSync(dirname(file), { throwIfNoEntry: false })?.isDirectory() !== true) return `the folder ${dirname(file)} does not exist`
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) return 'it is a folder, name a file'
  return isAllowed(dirname(file), constants.W_OK | constants.X_OK) ? undefined : `this user may not write to the folder ${dirname(file)}`
}

/** Why a batch did not reach the disk and what to do, in one line. */
export function commitFailureMessage(file: string, failure: SqliteFailure): string {
  const { message } = failure
  switch (primary(failure)) {
    case full:
      return `the write was not saved, the disk of ${file} is full (${message}): free some space; nothing else is needed, writes go on by themselves`
    case ioError:
      return `the write was not saved, the disk of ${file} reports an error (${message}): check the disk and its free space`
    case corrupt:
    case notADatabase:
      return `the write was not saved, ${file} is damaged (${message}): ${restore}`
    case readOnly:
      return `the write was not saved, ${file} has become read-only (${message}): check the mount and the file's owner`
    case undefined:
    default:
      return `the write was not saved in ${file}: ${message}`
  }
}

function primary(failure: SqliteFailure): number | undefined {
  return failure.code === undefined ? undefined : failure.code & 0xff
}

function accessProblem(file: string): string | undefined {
  const folder = dirname(file)
  const folderState = statSync(folder, { throwIfNoEntry: false })
  if (folderState === undefined) return `the folder ${folder} does not exist, create it`
  if (!folderState.isDirectory()) return `${folder} is not a folder`
  if (!isAllowed(folder, constants.W_OK | constants.X_OK)) return `the folder ${folder} is not writable for this user, change its owner or mode`
  const fileState = statSync(file, { throwIfNoEntry: false })
  if (fileState?.isDirectory() === true) return 'it is a folder, name a file'
  if (fileState !== undefined && !isAllowed(file, constants.R_OK | constants.W_OK)) {
    return 'it is not readable and writable for this user, change its owner or mode'
  }
  return undefined
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}
