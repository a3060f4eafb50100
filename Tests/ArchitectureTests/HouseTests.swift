import Testing

/// This package, as it stands.
@Suite struct HouseTests {
    @Test func everyImportIsAllowedByTheTable() throws {
        let files = try SourceFile.all(below: "Sources")
        // A search in the wrong place would find no fault either.
        #expect(files.count > 50)
        #expect(files.contains { ImportStatement.all(in: $0.text).contains { $0.module == "CRabbitMQ" } })
        let faults = files.flatMap(HouseRules.faults)
        #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
    }

    @Test func theTableNamesTheTargetsThatThereAre() throws {
        let targets = try SourceFile.folders(below: "Sources").filter { !$0.contains("/") }
        #expect(Set(targets) == Set(HouseRules.table.keys))
    }

    @Test func everyPlaceThatTheTableNamesHoldsAFile() throws {
        let files = try SourceFile.all(below: "Sources")
        for (target, allowance) in HouseRules.table {
            for place in allowance.confined.values.joined() {
                #expect(
                    files.contains { $0.target == target && $0.path.hasPrefix(place) },
                    "\(target)/\(place) is named in the table and is not there")
            }
        }
    }

    @Test(arguments: ["Sources", "Tests"])
    func noFileIsOverTheLimit(_ folder: String) throws {
        let faults = try SourceFile.all(below: folder).compactMap(HouseRules.lengthFault)
        #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
    }

    @Test(arguments: ["Sources", "Tests"])
    func everyFolderSaysWhatIsInIt(_ folder: String) throws {
        let faults = try SourceFile.folders(below: folder).filter(HouseRules.isMeaningless)
        #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
    }

    @Test func noTupleIsReturnedAroundATry() throws {
        let faults = try SourceFile.all(below: "Sources").flatMap(HouseRules.tupleFaults)
        #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
    }

    @Test func noClosureLiesInAMutexByItself() throws {
        let faults = try SourceFile.all(below: "Sources").flatMap(HouseRules.mutexFaults)
        #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
    }
}
