export { importTestImages, testImages } from './images.ts'
export type { TestImage } from './images.ts'
