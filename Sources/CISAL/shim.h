// Intel's storage library: CRC-32C with the processor's own instruction. Nothing here needs wrapping.
#include <isa-l/crc.h>
