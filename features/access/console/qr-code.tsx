import { QRCodeSVG } from 'qrcode.react'

/** A text as a picture for cameras; dark on nothing. */
export function QrCode({ text, title }: { readonly text: string; readonly title: string }) {
  return <QRCodeSVG value={text} title={title} level="M" bgColor="transparent" className="size-full" />
}
