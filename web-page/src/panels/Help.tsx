// The keys, from the table that the keyboard itself uses.

import { KEYS } from "../keys";
import { Modal } from "./Modal";

export function Help() {
  return (
    <Modal title="Keys">
      <table class="keys">
        <tbody>
          {KEYS.map((key) => (
            <tr key={key.does}>
              <th scope="row">
                {key.keys.map((each) => (
                  <kbd key={each}>{each}</kbd>
                ))}
              </th>
              <td>{key.does}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint">
        The wheel zooms at the pointer; the middle button or Ctrl with the pointer pans; two fingers do both. A right
        click says that something is not the object.
      </p>
    </Modal>
  );
}
