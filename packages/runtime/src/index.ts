export { aborted } from './aborted.ts'
export { systemClock } from './clock.ts'
export type { Clock } from './clock.ts'
export { fileProblem } from './file-problem.ts'
export { BodyTooLarge, bodyOf, header } from './http.ts'
export type {
  ByteSink,
  Handler,
  HttpHeaders,
  HttpRequest,
  HttpResponse,
  Peer,
  PeerCertificate,
  RequestBody,
  StreamBody,
  UpgradeHandler,
  UserInfo,
} from './http.ts'
export { systemIds } from './ids.ts'
export type { Ids } from './ids.ts'
export { createLogger, silentLogger } from './logger.ts'
export type { LogFields, Logger, LogLevel } from './logger.ts'
export { writePrivateFile } from './private-file.ts'
export { readBody, readWholeBody } from './response-body.ts'
export { repeat, repeating } from './repeat.ts'
export type { RepeatOptions } from './repeat.ts'
export { seal, unseal } from './seal.ts'
export { startingAfter, Supervisor } from './service.ts'
export type { Running, Service } from './service.ts'
export { Backoff, exponentialDelayMs, jitterMs } from './backoff.ts'
export type { BackoffOptions } from './backoff.ts'
export { TurnBudget, turnBudgetOn } from './turn-budget.ts'
export type { EventLoop, Pause, TurnBudgetDeps } from './turn-budget.ts'
export { controllerBackoff, WorkQueue } from './work-queue.ts'
