import { startI18n } from '@gantry/console-kit'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { features } from './features.ts'
import './styles.css'

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')
await startI18n(Object.fromEntries(features.map((feature) => [feature.name, feature.strings])))
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
