/**
 * Options of the library are rows of tables (src/options/form.ts). What the help of the command
 * line says of an option, its flag and its default are what the reference says, too.
 */
import ts from 'typescript'
import { Comment } from 'typedoc'

/** The object with help, flag and default of the row from which a property comes. */
function rowOf(symbol) {
  const declaration = symbol?.declarations?.find(ts.isPropertyAssignment)
  const call = declaration?.initializer
  if (!call || !ts.isCallExpression(call) || call.expression.getText() !== 'option')
    return undefined
  return call.arguments.find(ts.isObjectLiteralExpression)
}

const valueIn = (row, name) =>
  row.properties.find(each => ts.isPropertyAssignment(each) && each.name.getText() === name)
    ?.initializer

export function describeOption(context, reflection) {
  const row = rowOf(context.getSymbolFromReflection(reflection))
  if (!row) return
  const textOf = name => {
    const value = valueIn(row, name)
    return value && ts.isStringLiteralLike(value) ? value.text : undefined
  }
  const [help, flag] = [textOf('help'), textOf('flag')]
  const usual = valueIn(row, 'default')?.getText()
  if (usual !== undefined && usual !== 'undefined') reflection.defaultValue = usual
  const typed = flag === undefined ? '' : ` On the command line: \`--${flag}\`.`
  if (reflection.comment) reflection.comment.summary.push({ kind: 'text', text: typed })
  else if (help !== undefined)
    reflection.comment = new Comment([
      { kind: 'text', text: `${help.replace(/\.?$/, '.')}${typed}` },
    ])
}
