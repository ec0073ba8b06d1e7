/* A tokenizer in order.
 * validate: tokenizer.round_trip pass
 * validate: fuzz.chance pass
 * validate: instance.boxed pass
 * call: survives */
#include "hostile_tokenizer.h"
