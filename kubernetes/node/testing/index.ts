export { importTestImages, testImages } from './images.ts'
export type { TestImage } from './images.ts'
export { startTestRegistry } from './registry.ts'
export type { TestRegistry } from './registry.ts'
