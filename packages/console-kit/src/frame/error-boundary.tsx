import { Component, type ReactNode } from 'react'
import { toApiError } from '../api/api-error.ts'
import { ErrorNotice } from '../ui/notice.tsx'
import { Button } from '../ui/button.tsx'
import { RetryIcon } from '../ui/icons.ts'

export interface ErrorBoundaryProps {
  readonly children: ReactNode
  /** A new value forgets the error: another page was opened. */
  readonly resetKey: string
  readonly title: string
  readonly retryLabel: string
}

interface State {
  readonly error: unknown
  readonly failedAt: string | undefined
}

/** A page that breaks says so in its own place; the frame and the other pages stay usable. React has this only as a class. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, State> {
  override state: State = { error: undefined, failedAt: undefined }

  static getDerivedStateFromError(error: unknown): Partial<State> {
    return { error }
  }

  static getDerivedStateFromProps(props: ErrorBoundaryProps, state: State): Partial<State> | null {
    if (state.error === undefined) return null
    if (state.failedAt === undefined) return { failedAt: props.resetKey }
    return state.failedAt === props.resetKey ? null : { error: undefined, failedAt: undefined }
  }

  override render(): ReactNode {
    if (this.state.error === undefined) return this.props.children
    return (
      <div className="p-5">
        <ErrorNotice
          error={toApiError(this.state.error)}
          title={this.props.title}
          actions={
            // A part of the page that did not load stays failed in the module cache: only a reload asks for it again.
            <Button icon={RetryIcon} onClick={() => location.reload()}>
              {this.props.retryLabel}
            </Button>
          }
        />
      </div>
    )
  }
}
