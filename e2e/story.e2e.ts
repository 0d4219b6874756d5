import { after, before, describe } from 'node:test'
import { startingStory } from './story/starting.ts'
import { buildGantry } from './built-gantry.ts'
import { afterwardsStory } from './story/afterwards.ts'
import { consoleStory } from './story/console.ts'
import { gatewayStory } from './story/gateway.ts'
import { importingStory } from './story/importing.ts'
import { localClusterStory } from './story/local-cluster.ts'
import { createWorld, type World } from './story/world.ts'

/**
 * What a new user gets, told in order with real processes: the launcher, kubectl, the CLI, containers where the machine has them, a real Kubernetes, a browser. Each chapter goes on
 * where the one before ended.
 */
describe('the story of a new user', () => {
  let made: World | undefined
  const world = (): World => {
    if (made === undefined) throw new Error('the story has not begun')
    return made
  }
  before(async () => {
    await buildGantry()
    made = await createWorld()
  })
  after(async () => made?.[Symbol.asyncDispose]())

  describe('starting', () => startingStory(world))
  describe('the local cluster', () => localClusterStory(world))
  describe('importing', () => importingStory(world))
  describe('the gateway', () => gatewayStory(world))
  describe('the console', () => consoleStory(world))
  describe('afterwards', () => afterwardsStory(world))
})
