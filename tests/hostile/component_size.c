/* A component of 24 bytes.
 * validate: library.load fail component.struct_size is 24
 * score: refuses component.struct_size */
#define COMPONENT_SIZE 24
#include "hostile.h"
