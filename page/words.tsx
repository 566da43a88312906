/** A text with a command in it: lines end between its words, never behind the dash of an option. */

export const Words = ({ text }: { text: string }) => (
  <>
    {text.split(/( +)/).map((word, index) =>
      word.includes('-') ? (
        // oxlint-disable-next-line react/no-array-index-key -- words have no other name
        <span key={index} class="whole">
          {word}
        </span>
      ) : (
        word
      ),
    )}
  </>
)
