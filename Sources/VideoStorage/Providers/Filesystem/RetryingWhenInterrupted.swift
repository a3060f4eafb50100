#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Makes a system call again for as long as signals interrupt it.
///
/// - Parameters:
///   - name: The name of the call, for the error.
///   - call: The call; a negative result means that it failed.
/// - Returns: What the call gave, never negative.
/// - Throws: The call's name and `errno`, for any failure but an interruption.
func retryingWhenInterrupted<Result: SignedInteger>(
    _ name: String,
    _ call: () -> Result
) throws(SystemCallFailure) -> Result {
    while true {
        let result = call()
        guard result < 0 else { return result }
        let number = errno
        guard number == EINTR else { throw SystemCallFailure(call: name, number: number) }
    }
}
