"""Titles of Meta's refusals under code 100, by subcode, in the languages that Meta was seen to answer in.

Where only a subcode's number is known, or a language was not seen with it, the words are the sandbox's own: whoever reads
them instead of (code, subcode) is wrong anyway, which is what the other languages are there to show.
"""

from typing import Literal

Language = Literal["en", "fr", "da", "pt", "it"]
Titles = dict[Language, str]

TITLES: dict[int, Titles] = {
    2804003: {
        "en": "Event Timestamp Too Old",
        "fr": "Timestamp de l’évènement trop ancien",
        "da": "Hændelsens tidsstempel er for gammelt",
        "pt": "Registro de data e hora do evento muito antigo",
        "it": "Timestamp dell’evento troppo vecchio",
    },
    2804008: {"en": "Missing Content ID", "fr": "ID de contenu manquant"},
    2804010: {
        "en": "Missing Currency for Purchase Event",
        "fr": "Devise manquante pour l’évènement d’achat",
        "da": "Manglende valuta for købshændelse",
        "pt": "Moeda ausente no evento de compra",
        "it": "Valuta mancante per l’evento di acquisto",
    },
    2804011: {
        "en": "Invalid Currency For Purchase Event",
        "fr": "Devise non valide pour l’évènement d’achat",
        "da": "Ugyldig valuta for købshændelse",
        "pt": "Moeda inválida no evento de compra",
        "it": "Valuta non valida per l’evento di acquisto",
    },
    2804016: {
        "en": "User Parameter Not Hashed",
        "fr": "Paramètre utilisateur non haché",
        "da": "Brugerparameter er ikke hashet",
        "pt": "Parâmetro do usuário sem hash",
        "it": "Parametro utente senza hash",
    },
    2804023: {"en": "Missing Currency for Value", "fr": "Devise manquante pour la valeur"},
    2804050: {
        "en": "You Haven't Added Sufficient Customer Information Parameter Data For This Event",
        "fr": "Données client insuffisantes pour cet évènement",
        "da": "Du har ikke tilføjet tilstrækkelige data om kundeoplysningsparametre for denne hændelse",
        "pt": "Você não adicionou dados suficientes de parâmetros de informações do cliente para este evento",
        "it": "Non hai aggiunto dati sufficienti sui parametri delle informazioni del cliente per questo evento",
    },
    2804063: {"en": "Messaging Event Missing Messaging Channel", "fr": "Canal de messagerie manquant"},
    2804064: {
        "en": "Messaging Event Invalid Argument",
        "fr": "Argument non valide pour l’évènement de messagerie",
        "da": "Ugyldigt argument for beskedhændelse",
        "pt": "Argumento inválido no evento de mensagem",
        "it": "Argomento non valido per l’evento di messaggistica",
    },
    2804065: {
        "en": "Mismatching Page and Dataset",
        "fr": "La Page ne correspond pas à l’ensemble de données",
    },
    2804066: {
        "en": "Messaging Event Invalid Event Type",
        "fr": "Type d’évènement de messagerie non valide",
        "da": "Ugyldig hændelsestype for beskedhændelse",
        "pt": "Tipo de evento de mensagem inválido",
        "it": "Tipo di evento di messaggistica non valido",
    },
    2804072: {"en": "Mismatching Page Id And Ctwa Clid", "fr": "La Page ne correspond pas au Ctwa Clid"},
    2804073: {
        "en": "Mismatching Page Id And Page Scoped User Id",
        "fr": "La Page ne correspond pas à l’utilisateur",
    },
    2804079: {
        "en": "Missing IG Account ID parameter",
        "fr": "ID de compte IG manquant",
        "da": "Parameteren for IG-konto-id mangler",
        "pt": "Parâmetro de ID da conta do IG ausente",
        "it": "Parametro dell’ID dell’account IG mancante",
    },
    2804087: {
        "en": "Messaging Event Invalid Ctwa Clid",
        "fr": "Ctwa Clid non valide pour l’évènement de messagerie",
        "da": "Ugyldigt Ctwa Clid for beskedhændelse",
        "pt": "Ctwa Clid inválido no evento de mensagem",
        "it": "Ctwa Clid non valido per l’evento di messaggistica",
    },
    2804116: {
        "en": "Page Id Or WhatsApp Business Account Id Missing",
        "fr": "ID de Page ou de compte WhatsApp Business manquant",
    },
    2804131: {
        "en": "No Page Associated To Dataset",
        "fr": "Aucune Page associée à l’ensemble de données",
        "da": "Ingen side er knyttet til datasættet",
        "pt": "Nenhuma Página associada ao conjunto de dados",
        "it": "Nessuna Pagina associata al set di dati",
    },
    2804132: {
        "en": "No WhatsApp Business Account Linked to This Dataset",
        "fr": "Aucun compte WhatsApp Business associé à cet ensemble de données",
        "da": "Ingen WhatsApp Business-konto er knyttet til dette datasæt",
        "pt": "Nenhuma conta do WhatsApp Business vinculada a este conjunto de dados",
        "it": "Nessun account WhatsApp Business collegato a questo set di dati",
    },
    2804133: {
        "en": "No IG Account Associated To Dataset",
        "fr": "Aucun compte IG associé à l’ensemble de données",
    },
}
