export declare function pinnedNode(root: string, machine?: { readonly platform: string; readonly arch: string }): string
export declare function missingFrom(root: string, options?: { readonly production?: boolean }): string | undefined
export declare function ensureInstalled(root: string): Promise<void>
export declare function runOnPinnedNode(root: string, script: string, args: readonly string[]): Promise<void>
