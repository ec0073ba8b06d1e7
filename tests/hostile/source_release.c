/* Release of a batch does not mark it released.
 * validate: source.schema fail does not mark it released
 * data: survives "number":39 */
#define RELEASE
#include "hostile_source.h"
