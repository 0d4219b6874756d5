/** Groups of modules that reach each other, each as one shortest round trip through its first member; empty when there is none. Tarjan's algorithm without recursion. */
export function importCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const onStack = new Set<string>()
  const cycles: string[][] = []

  for (const root of graph.keys()) {
    if (order.has(root)) continue
    const open: { readonly node: string; next: number }[] = [enter(root)]
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const { node } = top
      const child = (graph.get(node) ?? [])[top.next++]
      if (child === undefined) {
        open.pop()
        leave(node)
        const parent = open.at(-1)
        if (parent !== undefined) lower(parent.node, low.get(node))
      } else if (!order.has(child)) {
        open.push(enter(child))
      } else if (onStack.has(child)) {
        lower(node, order.get(child))
      }
    }
  }
  return cycles.sort((a, b) => String(a[0]).localeCompare(String(b[0])))

  function enter(node: string): { readonly node: string; next: number } {
    order.set(node, order.size)
    low.set(node, order.size - 1)
    stack.push(node)
    onStack.add(node)
    return { node, next: 0 }
  }

  function lower(node: string, to: number | undefined): void {
    low.set(node, Math.min(low.get(node) ?? Infinity, to ?? Infinity))
  }

  function leave(node: string): void {
    if (low.get(node) !== order.get(node)) return
    const members = stack.splice(stack.lastIndexOf(node))
    for (const member of members) onStack.delete(member)
    if (members.length > 1 || graph.get(node)?.includes(node)) cycles.push(roundTrip(graph, members.sort()))
  }
}

function roundTrip(graph: ReadonlyMap<string, readonly string[]>, members: readonly string[]): string[] {
  const [start = ''] = members
  const cameFrom = new Map<string, string>()
  const queue = [start]
  for (const node of queue) {
    for (const child of graph.get(node) ?? []) {
      if (child === start) {
        const path = [start]
        for (let at: string | undefined = node; at !== undefined && at !== start; at = cameFrom.get(at)) path.splice(1, 0, at)
        return path
      }
      if (members.includes(child) && !cameFrom.has(child)) {
        cameFrom.set(child, node)
        queue.push(child)
      }
    }
  }
  return [...members]
}
