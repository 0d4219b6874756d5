import { DropdownMenu as Radix } from 'radix-ui'
import type { ReactElement, ReactNode } from 'react'
import { classNames } from './class-names.ts'
import { CheckIcon, type Icon } from './icons.ts'

const itemLook =
  'flex cursor-pointer items-center gap-2 rounded px-2 py-1.5 text-sm outline-none select-none data-[disabled]:opacity-50 data-[highlighted]:bg-hover'

export function Menu({
  trigger,
  children,
  align = 'end',
  onOpenChange,
  defaultOpen = false,
}: {
  readonly trigger: ReactElement
  readonly children: ReactNode
  readonly align?: 'start' | 'end'
  readonly onOpenChange?: (open: boolean) => void
  readonly defaultOpen?: boolean
}) {
  return (
    <Radix.Root {...(onOpenChange === undefined ? {} : { onOpenChange })} defaultOpen={defaultOpen} modal={false}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          align={align}
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-[70vh] min-w-44 overflow-auto rounded-md border border-line bg-raised p-1 text-ink shadow-xl"
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}

export function MenuItem({
  icon: Glyph,
  children,
  onSelect,
  tone,
  disabled = false,
}: {
  readonly icon?: Icon | undefined
  readonly children: ReactNode
  readonly onSelect: () => void
  readonly tone?: 'error' | undefined
  readonly disabled?: boolean
}) {
  return (
    <Radix.Item onSelect={onSelect} disabled={disabled} className={classNames(itemLook, tone === 'error' && 'text-error')}>
      {Glyph !== undefined && <Glyph aria-hidden className="size-4 shrink-0" />}
      {children}
    </Radix.Item>
  )
}

export function MenuChoice<Value extends string>({
  value,
  options,
  onChange,
}: {
  readonly value: Value
  readonly options: readonly { readonly value: Value; readonly label: string; readonly icon?: Icon | undefined }[]
  readonly onChange: (value: Value) => void
}) {
  return (
    <Radix.RadioGroup value={value} onValueChange={(next) => onChange(next as Value)}>
      {options.map(({ value: option, label, icon: Glyph }) => (
        <Radix.RadioItem key={option} value={option} className={itemLook}>
          {Glyph !== undefined && <Glyph aria-hidden className="size-4 shrink-0 text-muted" />}
          <span className="flex-1">{label}</span>
          <Radix.ItemIndicator>
            <CheckIcon aria-hidden className="size-4 text-accent-ink" />
          </Radix.ItemIndicator>
        </Radix.RadioItem>
      ))}
    </Radix.RadioGroup>
  )
}

export function MenuToggle({
  checked,
  onChange,
  children,
}: {
  readonly checked: boolean
  readonly onChange: (checked: boolean) => void
  readonly children: ReactNode
}) {
  return (
    <Radix.CheckboxItem checked={checked} onCheckedChange={onChange} onSelect={(event) => event.preventDefault()} className={itemLook}>
      <span className="flex size-4 items-center justify-center">
        <Radix.ItemIndicator>
          <CheckIcon aria-hidden className="size-4 text-accent-ink" />
        </Radix.ItemIndicator>
      </span>
      {children}
    </Radix.CheckboxItem>
  )
}

export function MenuLabel({ children }: { readonly children: ReactNode }) {
  return <Radix.Label className="px-2 pt-1.5 pb-1 text-xs font-semibold text-muted">{children}</Radix.Label>
}

export function MenuSeparator() {
  return <Radix.Separator className="my-1 h-px bg-line" />
}
