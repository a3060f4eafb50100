import ArgumentParser
import Testing

@testable import MillraceCLI

struct CommandLineTests {
    @Test func anImportIsReadWithItsOptions() throws {
        let command = try #require(
            try Millrace.parseAsRoot([
                "import", "--title", "My film", "--storage-directory", "/srv/videos", "--skip-existing", "--timeout",
                "30",
                "--rabbit", "amqp://broker", "a.mp4", "b.json",
            ]) as? ImportCommand)
        #expect(command.paths == ["a.mp4", "b.json"])
        #expect(command.title == "My film")
        #expect(command.storageDirectory == "/srv/videos")
        #expect(command.skipExisting)
        #expect(command.stack.timeout == 30)
        #expect(command.stack.rabbit == "amqp://broker")
    }

    @Test func whatIsNotSaidHasADefault() throws {
        let command = try #require(try Millrace.parseAsRoot(["import", "a.mp4"]) as? ImportCommand)
        #expect(command.title == nil)
        #expect(command.storageDirectory == nil)
        #expect(!command.skipExisting)
        #expect(command.stack.timeout == 10)
        #expect(command.stack.rabbit == nil)
    }

    @Test func aPathMayBeginWithAHyphen() throws {
        let command = try #require(try Millrace.parseAsRoot(["import", "--", "-rf.mp4"]) as? ImportCommand)
        #expect(command.paths == ["-rf.mp4"])
    }

    @Test func listAndDoctorTakeTheOptionsOfTheStack() throws {
        let list = try #require(try Millrace.parseAsRoot(["list", "--timeout", "1"]) as? ListCommand)
        #expect(list.stack.timeout == 1)
        let doctor = try #require(try Millrace.parseAsRoot(["doctor", "--timeout", "3600"]) as? DoctorCommand)
        #expect(doctor.stack.timeout == 3_600)
    }

    @Test(arguments: ["0", "-1", "3601", "9223372036854775807", "9223372036854775808", "ten", "1.5", ""])
    func aTimeoutOutOfBoundsIsRefused(_ timeout: String) {
        for command in ["list", "doctor"] {
            #expect {
                try Millrace.parseAsRoot([command, "--timeout=\(timeout)"])
            } throws: { error in
                Millrace.exitCode(for: error) == .validationFailure && Millrace.message(for: error).contains("timeout")
            }
        }
    }

    @Test(arguments: [["import"], ["remove"], ["list", "extra"], ["list", "--unknown"], ["doctor", "--rabbit"]])
    func whatCannotBeUnderstoodIsRefused(_ words: [String]) {
        #expect {
            try Millrace.parseAsRoot(words)
        } throws: { error in
            Millrace.exitCode(for: error) == .validationFailure
        }
    }

    @Test func helpShowsTheCommandsAndIsNoFailure() {
        #expect {
            var help = try Millrace.parseAsRoot(["--help"])
            try help.run()
        } throws: { error in
            let text = Millrace.fullMessage(for: error)
            return Millrace.exitCode(for: error) == .success
                && ["upload", "delete", "import", "list", "doctor"].allSatisfy { text.contains($0) }
        }
    }

    @Test func anAddressOnTheCommandLineIsTakenBeforeAnyOther() async throws {
        let list = try #require(
            try Millrace.parseAsRoot(["list", "--rabbit", "amqp://user:hunter2@broker:5673/v"]) as? ListCommand)
        let address = try await list.stack.address()
        #expect("\(address)".contains("broker:5673"))
        #expect(!"\(address)".contains("hunter2"))
    }
}
