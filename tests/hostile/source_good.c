/* A source that is in order.
 * data: survives "number":39 */
#include "hostile_source.h"
