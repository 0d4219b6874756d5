export { SmallTable } from '@gantry/console-kit'
