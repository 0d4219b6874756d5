import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from '@codemirror/language'
import { linter, lintGutter, type Diagnostic } from '@codemirror/lint'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { EditorState, type Extension } from '@codemirror/state'
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view'
import { useEffect, useRef } from 'react'
import { parseDocuments } from '../model/yaml-documents.ts'
import { editorTheme } from './editor-theme.ts'

export interface YamlEditorProps {
  /** The text the editor starts with; a new one replaces what is there. */
  readonly value: string
  readonly label: string
  readonly onChange?: ((text: string) => void) | undefined
  /** ⌘S / Ctrl-S. */
  readonly onSave?: (() => void) | undefined
  readonly isReadOnly?: boolean | undefined
}

/**
 * A YAML editor that fills its parent. It lives in a shadow root: there CodeMirror's styles are constructed style sheets, which a Content Security
 * Policy without inline styles allows.
 */
export function YamlEditor({ value, label, onChange, onSave, isReadOnly = false }: YamlEditorProps) {
  const host = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView>(undefined)
  const handlers = useRef({ onChange, onSave })
  useEffect(() => {
    handlers.current = { onChange, onSave }
  })
  const lastText = useRef(value)

  useEffect(() => {
    const element = host.current
    if (element === null) return undefined
    const root = element.shadowRoot ?? element.attachShadow({ mode: 'open' })
    const editor = new EditorView({
      root,
      parent: root,
      state: EditorState.create({ doc: lastText.current, extensions: extensions(label, isReadOnly, handlers, lastText) }),
    })
    view.current = editor
    return () => {
      editor.destroy()
      view.current = undefined
    }
  }, [label, isReadOnly])

  useEffect(() => {
    const editor = view.current
    if (editor === undefined || value === lastText.current) return
    lastText.current = value
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } })
  }, [value])

  return <div ref={host} className="h-full min-h-0 overflow-hidden" />
}

type Handlers = { readonly current: Pick<YamlEditorProps, 'onChange' | 'onSave'> }

function extensions(label: string, isReadOnly: boolean, handlers: Handlers, lastText: { current: string }): Extension {
  return [
    lineNumbers(),
    highlightActiveLineGutter(),
    foldGutter(),
    history(),
    drawSelection(),
    indentOnInput(),
    bracketMatching(),
    closeBrackets(),
    autocompletion(),
    highlightActiveLine(),
    highlightSelectionMatches(),
    search({ top: true }),
    indentUnit.of('  '),
    yaml(),
    lintGutter(),
    linter((editor) => diagnostics(editor.state)),
    editorTheme,
    EditorState.readOnly.of(isReadOnly),
    EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
    EditorView.updateListener.of((update) => {
      if (!update.docChanged) return
      const text = update.state.doc.toString()
      if (text === lastText.current) return
      lastText.current = text
      handlers.current.onChange?.(text)
    }),
    keymap.of([
      {
        key: 'Mod-s',
        preventDefault: true,
        run: () => {
          handlers.current.onSave?.()
          return true
        },
      },
      ...closeBracketsKeymap,
      ...defaultKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...foldKeymap,
      ...completionKeymap,
      indentWithTab,
    ]),
  ]
}

/** Syntax errors where they are, before the server is asked. */
function diagnostics(state: EditorState): Diagnostic[] {
  return parseDocuments(state.doc.toString()).flatMap((document) => {
    if (document.result.ok) return []
    const line = state.doc.line(Math.max(1, Math.min(state.doc.lines, document.result.line ?? document.line)))
    return [{ from: line.from, to: line.to, severity: 'error' as const, message: document.result.message }]
  })
}
