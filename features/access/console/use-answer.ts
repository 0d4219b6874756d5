export { useAnswer } from '@gantry/console-kit'
