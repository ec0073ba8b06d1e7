/* Says it has one row more than it gives.
 * validate: source.rows fail row_count says 41, and there are 40
 * data: survives "number":39 */
#define COUNT (ROWS + 1)
#include "hostile_source.h"
