/** Whether a request carries the token that the page demands. */

/** 'none': nothing is demanded. 'given': demanded, and right. 'missing': demanded, and absent or wrong. */
export async function tokenState(
  request: Request,
  env: unknown,
  token: string | ((env: never) => string | undefined) | undefined,
): Promise<'none' | 'given' | 'missing'> {
  if (token === undefined) return 'none'
  const wanted = typeof token === 'function' ? asked(token, env) : token
  const given = /^Bearer +(.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  // A token that is demanded but not set lets nobody in.
  if (!wanted || given === undefined) return 'missing'
  return (await equal(given.trim(), wanted)) ? 'given' : 'missing'
}

/** A function that fails has no token to give: nobody gets in, and its error is printed, not shown. */
function asked(token: (env: never) => string | undefined, env: unknown): string | undefined {
  try {
    return token(env as never)
  } catch (error) {
    console.error('sluice: the token of the health page could not be read:', error)
    return undefined
  }
}

/** Compares digests, so that neither length nor first difference shows in the time it takes. */
async function equal(a: string, b: string): Promise<boolean> {
  const [left, right] = await Promise.all([digest(a), digest(b)])
  let difference = 0
  for (const [place, byte] of left.entries()) difference |= byte ^ right[place]!
  return difference === 0
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
}
