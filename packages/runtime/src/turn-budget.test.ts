import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from './testing/fake-clock.ts'
import { TurnBudget, turnBudgetOn } from './turn-budget.ts'

/** An event loop whose turns a test takes, over a clock that work moves. */
class FakeLoop {
  #turn = 0
  #callbacks: (() => void)[] = []
  #nowMs = 0
  readonly budget = new TurnBudget({
    clock: { monotonicMs: () => this.#nowMs },
    loop: { turn: () => this.#turn, soon: (callback) => void this.#callbacks.push(callback) },
  })

  work(ms: number): void {
    this.#nowMs += ms
  }

  get armed(): number {
    return this.#callbacks.length
  }

  /** Timers have had their turn; then the callbacks that are due, each with what it sets off. */
  async nextTurn(): Promise<void> {
    this.#turn++
    for (const callback of this.#callbacks.splice(0)) {
      callback()
      await Promise.resolve()
      await Promise.resolve()
    }
  }
}

/** Comes in, works, and writes down that it has. */
async function visit(loop: FakeLoop, done: number[], visitor: { readonly number: number; readonly workMs: number }): Promise<void> {
  const turn = loop.budget.enter()
  if (turn !== undefined) await turn
  loop.work(visitor.workMs)
  done.push(visitor.number)
}

test('who asks goes on at once while the turn has time left', async () => {
  const loop = new FakeLoop()
  const done: number[] = []
  for (let number = 0; number < 6; number++) void visit(loop, done, { number, workMs: 0.5 })
  assert.deepEqual(done, [0, 1, 2, 3, 4])
})

test('a turn is over when its time is, and the others follow in the order they came, as many as fit into each turn', async () => {
  const loop = new FakeLoop()
  const done: number[] = []
  const perTurn: number[] = []
  for (let number = 0; number < 12; number++) void visit(loop, done, { number, workMs: 1 })
  perTurn.push(done.length)
  while (done.length < 12) {
    await loop.nextTurn()
    perTurn.push(done.length)
  }
  assert.deepEqual(perTurn, [3, 6, 9, 12])
  assert.deepEqual(
    done,
    Array.from({ length: 12 }, (_, number) => number),
  )
})

test('who comes while others wait goes behind them', async () => {
  const loop = new FakeLoop()
  const done: number[] = []
  for (let number = 0; number < 5; number++) void visit(loop, done, { number, workMs: 2 })
  await loop.nextTurn()
  void visit(loop, done, { number: 5, workMs: 2 })
  assert.deepEqual(done, [0, 1, 2, 3])
  await loop.nextTurn()
  assert.deepEqual(done, [0, 1, 2, 3, 4, 5])
})

test('who is in goes on while the turn has time left, whoever waits to begin', async () => {
  const loop = new FakeLoop()
  const done: number[] = []
  for (let number = 0; number < 10; number++) void visit(loop, done, { number, workMs: 3 })
  await loop.nextTurn()
  assert.notEqual(loop.budget.pause(), undefined)
  const other = new FakeLoop()
  other.work(1)
  void visit(other, done, { number: 10, workMs: 1 })
  assert.equal(other.budget.pause(), undefined)
})

test('one is let in each turn however long others hold it up', async () => {
  const loop = new FakeLoop()
  const done: number[] = []
  for (let number = 0; number < 5; number++) void visit(loop, done, { number, workMs: 10 })
  assert.deepEqual(done, [0])
  for (const expected of [2, 3, 4]) {
    await loop.nextTurn()
    assert.equal(done.length, expected)
    loop.work(50)
  }
})

test('a long queue costs a turn no more callbacks than it can let in', async () => {
  const loop = new FakeLoop()
  const done: number[] = []
  for (let number = 0; number < 1_000; number++) void visit(loop, done, { number, workMs: 1 })
  assert.equal(loop.armed, 64)
  await loop.nextTurn()
  assert.equal(loop.armed, 64)
})

test('a new turn has all its time, whatever the one before took', async () => {
  const loop = new FakeLoop()
  assert.equal(loop.budget.isSpent(), false)
  loop.work(100)
  assert.equal(loop.budget.isSpent(), true)
  await loop.nextTurn()
  assert.equal(loop.budget.isSpent(), false)
})

test('whoever runs on one clock shares one budget', () => {
  const clock = new FakeClock()
  assert.equal(turnBudgetOn(clock), turnBudgetOn(clock))
  assert.notEqual(turnBudgetOn(clock), turnBudgetOn(new FakeClock()))
})
