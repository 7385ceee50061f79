"""What language.py knows of each language: common short words, and a few paragraphs for the shape of its words.

Written for this purpose, in the register of a club's messages. ``hi`` is Hindi in Latin letters; Hindi in its own
script is told by the script.
"""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, str]] = {
    "en": """the a an and or but if of to in on at for from with by is are was were be been have has had do does did
        you your we our us i my me it its it's he she they them this that these those there here what when where who
        how why which can could will would should may not no yes any some all more please thanks thank hi hello hey
        sorry let know just so as than then about out up get see come back i'm i've i'll we'll you're don't can't
        that's yes welcome good great happy sure today tomorrow next free first session sessions nets""",
    "de": """der die das den dem des ein eine einen einem einer und oder aber wenn von zu in im an am auf für mit bei
        aus nach ist sind war waren sein haben hat hatte du dein deine dich dir ihr euch wir unser uns ich mein mich
        mir es er sie dies diese dieser was wann wo wer wie warum welche kann können wird werden würde soll nicht
        kein keine nein ja auch noch schon nur so als dann über um zum zur bitte danke hallo leider gern gerne mal
        einfach bis alle mehr morgen heute willkommen gibt findet uhr dass damit bist hast""",
    "es": """el la los las un una unos unas y o pero si de del a al en con por para es son era ser estar está están
        hay he ha han tengo tiene tienes tu tus te ti nos nuestro nuestra yo mi me lo le les se su sus esto esta este
        estos qué cuándo dónde quién cómo cuál puede puedes puedo no sí algún ningún todo todos más muy también ya
        como que porque cuando donde gracias hola por favor lo siento hoy mañana próximo primera gratis sesión
        bienvenido bienvenida nuestros somos eres""",
    "fr": """le la les l un une des du de et ou mais si à au aux en dans sur avec pour par est sont était être avoir
        ai as a avons avez ont tu ton ta tes te toi vous votre vos nous notre nos je j mon ma mes me il elle ils elles
        on ce cet cette ces c qui que quoi quand où comment pourquoi quel quelle peut peux pouvez ne pas n non oui
        aucun tout tous plus très aussi déjà merci bonjour salut désolé désolée plaît aujourd'hui demain prochain
        prochaine gratuite séance bienvenue d'accord y d s qu""",
    "it": """il lo la i gli le un uno una e ed o ma se di del della dei delle a al alla ai in nel nella su sul con per
        da dal dalla è sono era essere avere ho hai ha abbiamo avete hanno tu tuo tua ti te voi vostro noi nostro
        nostra ci io mio mia mi si lui lei loro questo questa questi che chi cosa quando dove come perché quale può
        puoi posso non no sì nessun nessuna tutto tutti più molto anche già grazie ciao salve scusa dispiace oggi
        domani prossimo prossima gratuita sessione benvenuto benvenuta c'è""",
    "pt": """o a os as um uma uns umas e ou mas se de do da dos das em no na nos nas com por pelo pela para é são era
        ser estar está estão há tenho tem têm você vocês seu sua te nós nosso nossa nossos eu meu minha me isso isto
        este esta esse essa que quem quando onde como por porquê qual pode podes posso não sim nenhum nenhuma todo
        todos mais muito também já obrigado obrigada olá oi desculpe lamento hoje amanhã próximo próxima gratuita
        sessão treino bem-vindo ao à às""",
    "nl": """de het een en of maar als van te in op aan bij voor met uit naar is zijn was waren ben bent heb hebt heeft
        hebben had je jij jouw jullie u uw we wij ons onze ik mijn me mij hij zij ze dit dat deze die wat wanneer waar
        wie hoe waarom welke kan kun kunt kunnen wordt worden zou zal niet geen nee ja ook nog al alleen maar zo dan
        over om er alle meer graag dank bedankt hallo hoi sorry helaas vandaag morgen volgende eerste gratis sessie
        welkom even alsjeblieft tot""",
    "hi": """hai hain ho hoga hogi tha thi the kya kab kahan kaise kyun kaun mein main aap aapka aapke aapki hum hamara
        hamare mera meri mere tum woh yeh ye ka ki ke ko se par aur ya lekin nahi nahin haan ji bhi hi kal aaj parso
        sakte sakta sakti chahiye karo karna karein kar raha rahe rahi milega liye saath abhi bahut accha theek namaste
        shukriya dhanyavaad baje din koi kuch sab phir toh jab tak""",
}

SAMPLES: Final[Mapping[str, str]] = {
    "en": """Hello and thanks for your message. The next session takes place on Tuesday evening in the sports hall, and
        the first one is free. You don't need any equipment, we have bats and pads which you could borrow. Please wear
        trainers and bring something to drink. I have passed this on to our manager, who will get back to you shortly.
        Unfortunately nothing is planned for the weekend. I'm the automated assistant of the club, so I can't answer
        that myself. We hope you feel better soon. Children should be brought by their parents. Would you like to know
        how much membership costs or where we play? There is parking behind the building. Everyone is welcome, whether
        or not they have played before. Could you tell us which team that was, and what happened?""",
    "de": """Hallo und vielen Dank für deine Nachricht. Das nächste Training findet am Dienstagabend in der Sporthalle
        statt, und das erste Mal ist kostenlos. Du brauchst keine eigene Ausrüstung, wir haben Schläger und Helme, die
        du ausleihen kannst. Bitte bring Hallenschuhe und etwas zu trinken mit. Ich habe das an unsere Leitung
        weitergegeben, die sich bald bei dir meldet. Leider ist am Wochenende nichts geplant. Ich bin der automatische
        Assistent des Vereins und kann das nicht selbst beantworten. Wir wünschen dir gute Besserung. Möchtest du
        wissen, was die Mitgliedschaft kostet oder wo wir spielen? Hinter dem Gebäude gibt es Parkplätze. Alle sind
        willkommen, auch wenn sie noch nie gespielt haben. Schönen Tag noch und bis zum nächsten Mal.""",
    "es": """Hola y muchas gracias por tu mensaje. El próximo entrenamiento es el martes por la tarde en el pabellón, y
        la primera vez es gratis. No necesitas equipo propio, tenemos bates y cascos que puedes usar. Por favor, trae
        zapatillas y algo para beber. Se lo he pasado a nuestra responsable, que te contestará pronto. Lamentablemente
        no hay nada previsto para el fin de semana. Soy el asistente automático del club y no puedo contestar a eso.
        Esperamos que te mejores pronto. ¿Quieres saber cuánto cuesta la cuota o dónde jugamos? Hay aparcamiento detrás
        del edificio. Todo el mundo es bienvenido, aunque nunca haya jugado. Los niños vienen con sus padres.""",
    "fr": """Bonjour et merci beaucoup pour votre message. Le prochain entraînement a lieu mardi soir dans la salle de
        sport, et la première séance est gratuite. Vous n'avez pas besoin de matériel, nous avons des battes et des
        casques que vous pouvez emprunter. Venez avec des baskets et quelque chose à boire. J'ai transmis votre demande
        à notre responsable, qui vous répondra bientôt. Malheureusement, rien n'est prévu ce week-end. Je suis
        l'assistant automatique du club et je ne peux pas répondre à cela. Nous espérons que vous irez mieux. Souhaitez
        vous savoir combien coûte l'adhésion ou où nous jouons ? Il y a un parking derrière le bâtiment. Tout le monde
        est le bienvenu, même sans avoir jamais joué.""",
    "it": """Ciao e grazie mille per il tuo messaggio. Il prossimo allenamento è martedì sera nella palestra, e la prima
        volta è gratuita. Non ti serve attrezzatura, abbiamo mazze e caschi che puoi prendere in prestito. Per favore
        porta scarpe da ginnastica e qualcosa da bere. Ho passato la richiesta alla nostra responsabile, che ti
        risponderà presto. Purtroppo non c'è niente in programma per il fine settimana. Sono l'assistente automatico
        della società e non posso rispondere a questa domanda. Speriamo che tu stia meglio. Vuoi sapere quanto costa
        l'iscrizione oppure dove giochiamo? Dietro l'edificio c'è un parcheggio. Tutti sono benvenuti, anche chi non ha
        mai giocato.""",
    "pt": """Olá e muito obrigado pela sua mensagem. O próximo treino é na terça-feira à noite no pavilhão, e a primeira
        vez é gratuita. Não precisa de equipamento, temos tacos e capacetes que pode usar. Por favor, traga ténis e
        alguma coisa para beber. Passei o pedido à nossa responsável, que vai responder em breve. Infelizmente não há
        nada marcado para o fim de semana. Sou o assistente automático do clube e não posso responder a isso. Esperamos
        que melhore depressa. Quer saber quanto custa a inscrição ou onde jogamos? Há estacionamento atrás do edifício.
        Todos são bem-vindos, mesmo quem nunca jogou. As crianças vêm com os pais e ninguém fica de fora.""",
    "nl": """Hallo en bedankt voor je bericht. De volgende training is dinsdagavond in de sporthal, en de eerste keer is
        gratis. Je hebt geen eigen spullen nodig, we hebben bats en helmen die je kunt lenen. Neem alsjeblieft
        sportschoenen en iets te drinken mee. Ik heb het doorgegeven aan onze beheerder, die snel contact met je
        opneemt. Helaas staat er dit weekend niets gepland. Ik ben de automatische assistent van de club en kan dat
        niet zelf beantwoorden. We hopen dat je je snel beter voelt. Wil je weten hoeveel het lidmaatschap kost of waar
        we spelen? Achter het gebouw is een parkeerplaats. Iedereen is welkom, ook wie nog nooit gespeeld heeft.""",
    "hi": """Namaste aur message ke liye shukriya. Agla session mangalvaar shaam ko sports hall mein hai, aur pehla
        session muft hai. Aapko apna saamaan laane ki zaroorat nahi hai, hamare paas bat aur helmet hain jo aap use kar
        sakte hain. Kripya joote aur paani lekar aaiye. Maine yeh baat hamare manager ko bata di hai, woh aapse jaldi
        baat karenge. Afsos, weekend par kuch nahi hai. Main club ka automatic assistant hoon aur iska jawab nahi de
        sakta. Kya aap jaanna chahte hain ki membership kitne ki hai ya hum kahan khelte hain? Sabka swagat hai, chahe
        pehle kabhi khela ho ya nahi. Bachche apne maata pita ke saath aate hain.""",
}
