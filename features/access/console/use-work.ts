export { useWork } from '@gantry/console-kit'
