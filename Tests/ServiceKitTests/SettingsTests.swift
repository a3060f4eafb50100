import Configuration
import ServiceKit
import Testing

struct SettingsTests {
    private enum Colour: String, CaseIterable {
        case red
        case green
    }

    private func settings(_ variables: [String: String]) -> Settings {
        Settings(EnvironmentVariablesProvider(environmentVariables: variables))
    }

    private func fault<Value>(_ read: () throws(SettingError) -> Value) -> SettingError? {
        do throws(SettingError) {
            _ = try read()
            return nil
        } catch {
            return error
        }
    }

    private func number(
        _ text: String?, in range: ClosedRange<Int> = 1...64, default fallback: Int? = 4
    ) throws(SettingError) -> Int {
        try settings(text.map { ["READ_AHEAD_CHUNKS": $0] } ?? [:])
            .number("READ_AHEAD_CHUNKS", meaning: "how many chunks a stream holds", in: range, default: fallback)
    }

    // MARK: - Text

    @Test func aTextIsTakenAsItIs() throws {
        let uri = "mongodb://user:p%40ss,word@a:1,b:2/?x=y z"
        let text = try settings(["DBHOST": uri]).text("DBHOST", meaning: "the database", example: "mongodb://localhost")
        #expect(text == uri)
    }

    @Test(arguments: [[:], ["DBHOST": ""]])
    func aMissingOrEmptyTextTellsItsNameItsMeaningAndAnExample(_ variables: [String: String]) {
        let error = fault { () throws(SettingError) in
            try settings(variables).text("DBHOST", meaning: "the address of MongoDB", example: "mongodb://localhost")
        }
        #expect(error?.name == "DBHOST")
        #expect(
            error?.description
                == "DBHOST is missing. It is the address of MongoDB, for example DBHOST=mongodb://localhost")
    }

    @Test func anOptionalTextThatIsEmptyCountsAsMissing() {
        #expect(settings(["HOST": ""]).optionalText("HOST") == nil)
        #expect(settings([:]).optionalText("HOST") == nil)
        #expect(settings(["HOST": " "]).optionalText("HOST") == " ")
    }

    @Test func aNameIsFoundAsItIsWritten() {
        let settings = settings(["PORT": "1", "HTTP_PORT": "2", "PORT_HTTP": "3"])
        #expect(settings.optionalText("PORT") == "1")
        #expect(settings.optionalText("HTTP_PORT") == "2")
        #expect(settings.optionalText("HTTP") == nil)
    }

    // MARK: - Numbers

    @Test func aNumberWithinBoundsIsTaken() throws {
        #expect(try number("1") == 1)
        #expect(try number("64") == 64)
        #expect(try number(nil) == 4)
        #expect(try number("") == 4)
        #expect(try number("-9223372036854775808", in: .min ... .max) == .min)
    }

    @Test(arguments: ["four", "4.0", "1e1", " 4", "4 ", "0x4", "9223372036854775808", "٤", "4\n", "--4"])
    func whatIsNoWholeNumberIsRefused(_ text: String) {
        let error = fault { () throws(SettingError) in try number(text) }
        #expect(
            error?.description
                == """
                READ_AHEAD_CHUNKS is not a whole number. It is how many chunks a stream holds, for example \
                READ_AHEAD_CHUNKS=4
                """)
    }

    @Test(arguments: ["0", "65", "-1", "9223372036854775807"])
    func aNumberOutOfBoundsIsRefusedWithTheBounds(_ text: String) {
        let error = fault { () throws(SettingError) in try number(text) }
        #expect(error?.description.hasPrefix("READ_AHEAD_CHUNKS is not within 1 to 64. ") == true)
    }

    @Test func aMissingNumberWithoutADefaultIsRefused() {
        let error = fault { () throws(SettingError) in try number(nil, default: nil) }
        #expect(error?.description.hasPrefix("READ_AHEAD_CHUNKS is missing. ") == true)
    }

    // MARK: - Choices

    @Test func aChoiceIsOneOfItsWords() throws {
        let choose = { (variables: [String: String]) throws(SettingError) in
            try settings(variables).choice("COLOUR", meaning: "the colour", of: Colour.self, default: .green)
        }
        #expect(try choose(["COLOUR": "red"]) == .red)
        #expect(try choose([:]) == .green)
        #expect(try choose(["COLOUR": ""]) == .green)
        for word in ["Red", "blue", "red ", "red,green"] {
            let error = fault { () throws(SettingError) in try choose(["COLOUR": word]) }
            #expect(
                error?.description == "COLOUR is none of red, green. It is the colour, for example COLOUR=green")
        }
    }

    // MARK: - Secrets and order

    @Test func noMessageRepeatsAValue() {
        let secret = "hunter2"
        let settings = settings(["A": secret])
        let errors = [
            fault { () throws(SettingError) in try settings.number("A", meaning: "a", in: 1...2, default: 1) },
            fault { () throws(SettingError) in try settings.choice("A", meaning: "a", of: Colour.self, default: .red) },
        ]
        for error in errors { #expect(error?.description.contains(secret) == false) }
    }

    @Test func theFirstProviderThatKnowsANameWins() throws {
        let settings = Settings(
            EnvironmentVariablesProvider(environmentVariables: ["A": "first"]),
            EnvironmentVariablesProvider(environmentVariables: ["A": "second", "B": "second"]))
        #expect(settings.optionalText("A") == "first")
        #expect(settings.optionalText("B") == "second")
        #expect(settings.optionalText("C") == nil)
    }
}
