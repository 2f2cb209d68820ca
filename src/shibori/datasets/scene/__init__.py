"""Made clips and pictures: sprites that move over a ground, hide each other and are drawn or cut out; exact masks."""
